"""What the business teaches the desk: corrections, examples and phrases, and the models made of them.

Operators' pages, the command line and tasks call these verbs; `understanding` asks for the models that read
now. They flush and never commit. Training itself takes seconds and holds no session: it is a step of its
own, between a short read and a short write.
"""
