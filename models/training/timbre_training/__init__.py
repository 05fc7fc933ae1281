"""Training of the models that ship with timbred: data, denoiser, vocoder, export, evaluation."""
