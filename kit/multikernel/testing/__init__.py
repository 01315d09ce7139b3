"""What tests of boards, programs and plugins use; part of the kit's public interface.

pytest_plugin    loaded by pytest itself: the fixture and marker `kernel`
transports       what every transport must do, to subclass
backends         what every backend of the SKB must do, to subclass
programs         rules, facts and goals made by hypothesis
naive            an evaluator of rules, slow and obvious: what backends are compared with
memory           channel memory for tests: coherent, and not
"""
