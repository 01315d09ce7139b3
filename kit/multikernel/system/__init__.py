"""What runs on a core, hardware-neutral: written once, run on every platform.

May not know: asyncio, threading, time, random, pydantic, pluggy, any platform or plugin.
"""
