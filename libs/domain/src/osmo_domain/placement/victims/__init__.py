"""Whom to stop so that a group that has a right to the room can start: the cheapest, or nobody where it would be in vain.

All candidates are LOW. Own LOW work of the pool may always be stopped; that of other pools only while its pool holds more than its
guarantee. Work lost decides, so the youngest goes first; then how many groups would be stopped. Who turns out not to be needed is spared.
"""
