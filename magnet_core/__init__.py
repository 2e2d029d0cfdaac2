"""MAGneT Explorer's core: synthetic CBT counselling sessions as values, made by agents, one event at a time."""
