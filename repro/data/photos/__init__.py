"""Photos of many sizes, decoded while the net trains: ImageNet and sets like it."""
