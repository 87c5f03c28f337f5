"""WhatsApp providers behind one contract (`base.Provider`); `provider(name)` gives the singleton."""
