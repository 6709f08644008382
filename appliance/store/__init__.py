"""The only code that knows SQL. Functions take an open database; rows become the types of `appliance.core` here."""
