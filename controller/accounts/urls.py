from django.urls import path

from controller.accounts.api.views import TokenView

urlpatterns = [path("api/v1/users/token/", TokenView.as_view(), name="users_token")]
