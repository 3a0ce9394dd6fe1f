"""What is wrong with an appliance, from the power of its plug."""
