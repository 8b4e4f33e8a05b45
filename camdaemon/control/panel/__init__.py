"""`camdaemon panel`: a page for the user's own browser, served only while it is asked for.

`server` opens and closes it, `app` has its addresses, `guard` decides who is let in, and `page/` is what the browser
gets.
"""
