# Read by every `flask` command, so that `flask init-db` finds the application.
FLASK_APP=main
