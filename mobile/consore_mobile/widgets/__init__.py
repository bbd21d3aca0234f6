"""The pieces that screens are made of: words, buttons, chips, cards, sheets and the drawn history."""
