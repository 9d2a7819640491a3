"""The Streamlit page: controls, stage, charts, scores."""
