# Prints numbers bit for bit.

show <- function(name, x) cat(name, ":", sprintf(" %a", as.numeric(unlist(x))), "\n", sep = "")
