"""The plugin that users get from the installed package; the tests also run from a checkout that is not installed."""

pytest_plugins = ["archit_codegen.pytest_plugin", "pytester"]
