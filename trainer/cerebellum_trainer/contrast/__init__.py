"""Contrastive pre-training: MoCo v2, and spaces that stay sensitive to one augmentation each (LooC)."""
