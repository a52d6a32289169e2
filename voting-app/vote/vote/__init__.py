"""The vote service: takes votes over HTTP and puts each into Redis before it says so."""
