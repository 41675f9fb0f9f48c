"""Parse what people typed into frozen values of the pure floors; the web ends here."""
