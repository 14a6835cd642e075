"""Networks written out: files that compute what a run predicts, with nothing of chainrule in them, and that test themselves."""
