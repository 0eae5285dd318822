"""The embedded engine: started, deployed to, corrected, and what it leaves behind."""
