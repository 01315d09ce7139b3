"""What tests of boards, programs and plugins use; part of the kit's public interface.

pytest_plugin    loaded by pytest itself: the fixture and marker `kernel`
transports       what every transport must do, to subclass
memory           channel memory for tests: coherent, and not
"""
