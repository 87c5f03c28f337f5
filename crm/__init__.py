"""What an intent sets in motion: leads, tickets, complaints, appointments, feedback."""
