"""Pages: look up, bind the form, call one service, render."""
