from .analysis.breakdown import breakdown as breakdown
