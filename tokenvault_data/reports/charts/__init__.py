"""Charts of analyses: their captions, the tables behind them, and how they are drawn."""
