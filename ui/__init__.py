"""What the pages share: state, the engine that runs sessions, and how a session is drawn."""
