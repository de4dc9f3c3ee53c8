"""The application behind the gate, reached over HTTP/1.1.

Read in this order: ``destination`` and ``dialling`` (where it is), ``fields`` (what may
pass), ``request`` and ``upload`` (what is sent), ``wire``, ``head`` and ``bodies``
(what is read), ``pool``, ``exchange`` and ``answer`` (both together), ``tunnel``
(upgrades), ``proxy`` (the WSGI application).
"""
