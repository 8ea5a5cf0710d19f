"""What makes vectors of texts: services that speak OpenAI's or Ollama's API, or a model on this machine."""
