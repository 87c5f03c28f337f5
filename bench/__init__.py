"""Measures the desk as processes on this machine: the door, whole turns, batches, and a big database.

`python -m bench [door|turns|batch|growth|all]`. All runs on loopback in temporary folders and databases;
the Graph API is the tests' fake, in a process of its own. Figures are ratios within one run where the speed
of the machine would decide. Nothing in the program imports this package.
"""
