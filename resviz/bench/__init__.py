"""What the speed and the quality are, against the loop that is usually written.

Everything is a ratio of two things done in one run, since milliseconds are the machine's.
One kind of measurement a module, each a function that gives back a frozen `Row`; `plan`
says which are taken, `report` writes them down.
"""
