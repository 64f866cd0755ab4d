"""Vision-language models as teachers: clients, model families, retries."""
