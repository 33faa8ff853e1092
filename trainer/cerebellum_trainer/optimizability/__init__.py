"""How easily a Vision Transformer is trained: patchify against convolutional stem (arXiv 2106.14881)."""
