"""A Django project in one file behind the gate, as somebody would write it."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

from totp_gate import Gate

settings.configure(
    ROOT_URLCONF=__name__, SECRET_KEY="for-tests-only", ALLOWED_HOSTS=["127.0.0.1"]
)


def hello(request):
    user = request.META["REMOTE_USER"]
    if request.method == "POST":
        return HttpResponse(f"{user} wrote {request.POST['text']}")
    return HttpResponse(f"{user} met process {os.getpid()}")


urlpatterns = [path("", hello)]

application = Gate(get_wsgi_application(), "gate.toml")
