"""Markets of AI-model providers, written as a pricing game and solved."""
