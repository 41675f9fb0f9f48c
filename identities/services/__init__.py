"""What can be done, and the only writers. Every function takes `principal` first and checks its permission itself."""
