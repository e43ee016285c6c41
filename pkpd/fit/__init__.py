"""Population fits: approximations of the likelihood with exact gradients, and the methods that minimise them."""
