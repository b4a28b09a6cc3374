"""What Doppio shows of a job."""
def displays(form, job):
    return []
