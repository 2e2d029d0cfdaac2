"""The rehearsal cast: authored texts and the rules that turn a client's facts and a moment into lines to speak."""
