"""Many runs, compared fairly: a grid of specs by seeds, its rows on file, and their table.

- design: what is run, a `Lab` of settings × arms × rates × seeds, and when it is compared
- named: the labs that the README quotes
- rows: one run as one line of a file, its scores' course and its end
- runner: every run that the file lacks, on all cores
- intervals: a median and its 95 % interval
- table: medians, intervals, paired differences and verdicts of the rows
- text: the same in words, and as a text table
"""
