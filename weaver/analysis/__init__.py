"""What one asks of a crawl directory: how it stands, why a URL is as it is, what its graph tells, and exports."""
