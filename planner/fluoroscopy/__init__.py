"""Where to put the C-arm: angles and reachability (c_arm), and the views worth having (views)."""
