"""What a person sees of a model: sheets, plots, the report page, the model card, the table of figures."""
