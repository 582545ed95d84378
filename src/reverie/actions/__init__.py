"""What a person does with a trained model: pictures, pages and figures of images, of points and of text."""
