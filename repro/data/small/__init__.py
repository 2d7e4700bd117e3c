"""Small images of one size, held in memory: CIFAR-10 and sets like it."""
