"""What every transport must do, run on this one."""

from {{ cookiecutter.package }} import {{ cookiecutter.class_name }}

from multikernel.testing.transports import TransportConformance


class Test{{ cookiecutter.class_name }}(TransportConformance):
    factory = {{ cookiecutter.class_name }}
    name = "{{ cookiecutter.name }}"
