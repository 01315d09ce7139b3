"""What every transport must do, run on this one."""

from multikernel.testing.transports import TransportConformance

from {{ cookiecutter.package }} import {{ cookiecutter.class_name }}


class Test{{ cookiecutter.class_name }}(TransportConformance):
    factory = {{ cookiecutter.class_name }}
