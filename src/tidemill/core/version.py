"""The version of Tidemill: written once, here."""

VERSION = "0.1.0"
