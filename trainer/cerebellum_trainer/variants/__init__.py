"""The forms in which a policy is exported, and what each costs in accuracy, measured on recorded frames.

It works on ONNX files alone, so it does for any encoder, of a run that has just ended or of an old bundle.
"""
