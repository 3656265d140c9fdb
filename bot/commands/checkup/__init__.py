"""What the doctor looks at: each part yields findings, and none keeps the others from being looked at."""
