"""What people read: documents as data, written as Markdown or as one HTML page, and their charts."""
