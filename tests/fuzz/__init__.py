"""What strangers write, read without end: targets for hypothesis (`make test`) and atheris (`make fuzz`)."""
