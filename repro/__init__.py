"""The reproduction suite of Deep Residual Learning for Image Recognition (arXiv 1512.03385)."""
