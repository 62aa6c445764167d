"""What each class sells: functions that draw one product (or one typical group) around (0, 0) with a pen."""
