"""What is for sale: the catalogue, carts and orders, and the investment programmes."""
